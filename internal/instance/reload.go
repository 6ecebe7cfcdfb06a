package instance

// Reload reads again what may change while the server runs: the inventory, or
// the token, which each request to NetBox reads anyway. On an error all stays
// as it was. It is safe while packets are answered (REC-4).
func (i *Instance) Reload() error {
	if i.Settings.Inventory != "" {
		return i.serveInventory()
	}
	_, err := i.Settings.Token()
	return err
}
