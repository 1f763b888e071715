package pluginhost

import (
	"context"
	"slices"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
)

// usable are the roles of a type that are used. One that writes to people and does not say what its medium allows was written
// before messages crossed, or does not say all that has to be known of it before anybody is written to.
func (h *Host) usable(d wire.Description) []sdk.Role {
	if d.Medium != nil || !slices.Contains(d.Roles, sdk.RoleMessenger) {
		return d.Roles
	}
	h.config.Log.Warn("plugin does not say what its medium allows, and writes to nobody", "plugin", d.Type)
	return slices.DeleteFunc(slices.Clone(d.Roles), func(r sdk.Role) bool { return r == sdk.RoleMessenger })
}

// asked is an instance that was asked what messages it takes, where it writes to people; it is known before the first of them.
func asked(ctx context.Context, i *wire.Instance) (sdk.Connector, error) {
	if err := i.AskMessageLimits(ctx); err != nil {
		_ = i.Close(context.WithoutCancel(ctx)) // the error that counts is the first one
		return nil, err
	}
	return i, nil
}
