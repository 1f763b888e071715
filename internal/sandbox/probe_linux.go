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
		switch {
		case abi >= least:
			return Ability{name, true, have, ""}
		case abi == 0:
			return Ability{name, false, not + ", because this kernel has no Landlock or it is switched off", "Linux 5.13 or newer, and landlock among lsm= at boot"}
		}
		return Ability{name, false, fmt.Sprintf("%s: this kernel has version %d of Landlock, and %d is needed", not, abi, least), "a newer Linux"}
	}
	list := []Ability{
		from("files", abiFiles, "plugins open no file but the system's programs, libraries and certificates, their own, and what plugins.external.<type>.read names",
			"plugins can open every file that Belfry's user can"),
		from("truncate", abiTruncate, "plugins cannot empty files of others", "plugins can empty every file that Belfry's user can write"),
		from("devices", abiDevices, "plugins control no devices", "plugins can control the devices that Belfry's user can open"),
		from("signals", abiScopes, "plugins signal no process but their own", "plugins can end other processes of Belfry's user"),
		from("sockets", abiSockets, "plugins connect to no local socket of other programs", "plugins can connect to the local sockets that Belfry's user can connect to"),
		{"limits", true, "a plugin's memory, open files and sizes of files are bounded", ""},
	}
	if root {
		return append(list, Ability{"processes", false, "the number of a plugin's processes is not bounded, because Belfry runs as root", "run Belfry as a user of its own"})
	}
	return append(list, Ability{"processes", true, "the number of a plugin's processes is bounded", ""})
}
