package netboxtest

const tenantsPath = "tenancy/tenants"

func tenancyModels() []*model {
	groups := treeModel("tenancy/tenant-groups", "tenancy.tenantgroup", "TenantGroup", "tenant group")
	return []*model{groups, {path: tenantsPath, label: "tenancy.tenant", class: "Tenant", verbose: "tenant",
		fields: commonFields(textField("name", 100).must(), textField("slug", 100).must(), refField("group", "tenancy/tenant-groups")),
		brief:  []string{"name", "slug", "description"}, computed: map[string]func(*txn, *row) any{"owner": ownerOf}, order: byName,
		search: []string{"name", "slug", "description"}}}
}
