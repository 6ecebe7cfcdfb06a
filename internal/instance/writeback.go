package instance

import "context"

func (i *Instance) writeBack(ctx context.Context) { <-ctx.Done() }
