package desk

import (
	"maps"
	"slices"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// ConnectorType is a type of sources or destinations. Those of third parties have a path, and no roles: their programs say what they can.
type ConnectorType struct {
	Type    string     `json:"type"`
	Summary string     `json:"summary"`
	Roles   []sdk.Role `json:"roles"`
	Path    string     `json:"path"`
}

// Types lists the built-in types, and those that a configuration names, which may be nil.
func Types(builtIn []*sdk.Spec, cfg *configs.Loaded) []ConnectorType {
	list := []ConnectorType{}
	for _, s := range builtIn {
		list = append(list, ConnectorType{Type: s.Type, Summary: s.Summary, Roles: s.Roles})
	}
	if cfg != nil {
		for _, name := range slices.Sorted(maps.Keys(cfg.Plugins.External)) {
			list = append(list, ConnectorType{Type: name, Roles: []sdk.Role{}, Path: cfg.Plugins.External[name].Path})
		}
	}
	return list
}
