package netbox

const firstBatch = 100
