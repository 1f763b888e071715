package desk

import (
	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// ConnectorType is a type of sources or destinations. Those of third parties have a path; of one
// that is not trusted in the plugin folder, the program alone says what it can.
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
		for _, name := range cfg.PluginTypes() {
			p, _ := cfg.Plugin(name)
			t := ConnectorType{Type: name, Roles: []sdk.Role{}, Path: p.Path}
			if p.Trusted != nil {
				t.Summary, t.Roles = p.Trusted.Summary, p.Trusted.Roles
			}
			list = append(list, t)
		}
	}
	return list
}
