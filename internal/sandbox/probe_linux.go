package sandbox

import (
	"fmt"
	"os"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// What each version of Landlock brought of what a policy uses.
const (
	abiFiles    = 1
	abiTruncate = 3
	abiDevices  = 5
	abiScopes   = 6
	abiSockets  = 9
)

// landlockABI is the version of Landlock that the kernel offers, 0 when there is none.
func landlockABI() int {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return abi
}

// Probe says what this system gives to a sandbox and what it does not, the most important first.
func Probe() []Ability { return abilities(landlockABI(), os.Geteuid() == 0) }

func abilities(abi int, root bool) []Ability {
	from := func(name string, least int, have, not string) Ability {
		a := Ability{Name: name, Have: abi >= least, What: have}
		switch {
		case a.Have:
		case abi == 0:
			a.What = not + ": this kernel has no Landlock, or it is switched off (Linux 5.13 or newer; lsm=landlock,… at boot)"
		default:
			a.What = fmt.Sprintf("%s: this kernel's Landlock is version %d, and %d would be needed", not, abi, least)
		}
		return a
	}
	list := []Ability{
		from("files", abiFiles, "plugins open no file but the system's programs and libraries, certificates, their own folder and what plugins.external.<name>.read names",
			"plugins can open every file that Belfry's user can"),
		from("truncate", abiTruncate, "plugins cannot empty files either", "plugins can empty every file that Belfry's user can write"),
		from("devices", abiDevices, "plugins control no devices", "plugins can control the devices that Belfry's user can open"),
		from("signals", abiScopes, "plugins signal and reach no process but their own", "plugins can end other processes of Belfry's user"),
		from("sockets", abiSockets, "plugins connect to no local socket of other programs", "plugins can connect to the local sockets (files) that Belfry's user can"),
		{"memory", true, "the memory of a plugin's process is bounded (plugins.memory)"},
		{"open files", true, "the files and connections that a plugin may have open are bounded"},
	}
	if root {
		list = append(list, Ability{"processes", false, "the number of a plugin's processes is not bounded, because Belfry runs as root: run it as a user of its own"},
			Ability{"capabilities", true, "plugins have none of root's capabilities"})
	} else {
		list = append(list, Ability{"processes", true, "the number of a plugin's processes is bounded"},
			Ability{"capabilities", true, "plugins have no capabilities, and cannot gain any"})
	}
	return append(list, Ability{"network", false, "plugins can connect to every address that this machine can: platforms lie there; a firewall for Belfry's user bounds it"})
}
