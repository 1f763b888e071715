package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/sdk"
)

// printMedium says by what rules a type writes to people, or why a third party's does not.
func printMedium(out io.Writer, roles []sdk.Role, m *trust.Medium, third bool) {
	writes := slices.Contains(roles, sdk.RoleMessenger) || slices.Contains(roles, sdk.RoleStreamer)
	if third {
		writes = slices.Contains(roles, sdk.RoleMessenger)
	}
	if !writes {
		return
	}
	if what, fix := configs.Unheard(roles, m.SDK()); third && what != "" {
		fmt.Fprintf(out, "  it writes to nobody: %s; %s\n", what, fix)
		return
	}
	if m == nil {
		return
	}
	fmt.Fprintf(out, "  its medium:\n")
	for _, s := range m.Says() {
		fmt.Fprintf(out, "    %s\n", s)
	}
	if heard := m.HeardFor(roles); third && len(heard) > 0 {
		fmt.Fprintf(out, "  it is believed:\n")
		for _, s := range heard {
			fmt.Fprintf(out, "    %s\n", s)
		}
	}
}
