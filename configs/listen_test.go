package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/configs"
)

// With an address that passes, the daemon starts, unless somebody else uses it.
func TestListens(t *testing.T) {
	t.Parallel()
	const token = "admin: {tokens: {me: {hash: \"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\", scopes: [read]}}}\n"
	const like = "write an address and a port, like 127.0.0.1:8080, or :8080 for every network"
	for text, want := range map[string]string{
		"listen: 127.0.0.1:8080":                            "",
		"listen: localhost:8080":                            "",
		"listen: \":8080\"":                                 "",
		"listen: \"[::1]:8080\"":                            "",
		"listen: 0.0.0.0:http":                              "",
		"listen: 127.0.0.1:0":                               "",
		"listen: nonsense":                                  `1:9: "nonsense" is no address to listen at; ` + like,
		"listen: \"8080\"":                                  `1:9: "8080" is no address to listen at; write 127.0.0.1:8080, or :8080 for every network`,
		"listen: 127.0.0.1":                                 `1:9: "127.0.0.1" is no address to listen at; add a port: 127.0.0.1:8080`,
		"listen: \"::1\"":                                   `1:9: "::1" is no address to listen at; add a port: [::1]:8080`,
		"listen: http://127.0.0.1:8080":                     `1:9: "http://127.0.0.1:8080" is no address to listen at; write 127.0.0.1:8080`,
		"listen: 127.0.0.1:99999":                           `1:9: "99999" is no port; write a number up to 65535, like 8080`,
		"listen: \"127.0.0.1:\"":                            `1:9: "" is no port; write a number up to 65535, like 8080`,
		"listen: news.example:80":                           `1:9: "news.example" is a name, and the address of a network of this machine is wanted; ` + like,
		"listen: 10.0.0:80":                                 `1:9: "10.0.0" is a name, and the address of a network of this machine is wanted; ` + like,
		"admin_listen: none":                                "",
		"admin_listen: 127.0.0.1:9081":                      "",
		"admin_listen: nonsense":                            `1:15: "nonsense" is no address to listen at; ` + like + ", or none",
		"admin_listen: 0.0.0.0:9080":                        `1:15: other machines can reach this address, and no token is configured; write admin_listen: 127.0.0.1:9080, or make a token: belfry token NAME`,
		"admin_listen: \":9080\"":                           `1:15: other machines can reach this address, and no token is configured; write admin_listen: 127.0.0.1:9080, or make a token: belfry token NAME`,
		"admin_listen: 10.0.0.7:9080":                       `1:15: other machines can reach this address, and no token is configured; write admin_listen: 127.0.0.1:9080, or make a token: belfry token NAME`,
		token + "admin_listen: 0.0.0.0:9080":                "",
		"admin_listen: 127.0.0.1:8080":                      `1:15: readers are served at this address already; give operators another port, like 127.0.0.1:9080`,
		"admin_listen: localhost:8080":                      `1:15: readers are served at this address already; give operators another port, like 127.0.0.1:9080`,
		token + "admin_listen: \":8080\"":                   `2:15: readers are served at this address already; give operators another port, like 127.0.0.1:9080`,
		"listen: 0.0.0.0:80\nadmin_listen: 127.0.0.1:80":    `2:15: readers are served at this address already; give operators another port, like 127.0.0.1:9080`,
		"listen: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0":    "",
		"listen: 127.0.0.1:90\nadmin_listen: 127.0.0.2:90":  "",
		"listen: nonsense\nadmin_listen: nonsense":          "1:9: \"nonsense\" is no address to listen at; " + like + "\n2:15: \"nonsense\" is no address to listen at; " + like + ", or none",
		"listen: \"${env:WHERE}\"\nadmin_listen: localhost": "1:9: what the reference stands for does not fit here; look at the value of the variable or at the file\n2:15: \"localhost\" is no address to listen at; " + like + ", or none",
		"listen: :9080\n":                                   "WARNING 1:9: operators would be served at this address by default, and now are nowhere; write admin_listen: with another port, or admin_listen: none",
	} {
		path := filepath.Join(t.TempDir(), "belfry.yaml")
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: []string{"WHERE=nonsense"}})
		got := ""
		if invalid, ok := errors.AsType[*configs.Invalid](err); ok {
			for _, p := range invalid.Problems {
				got += strings.TrimPrefix(p.String(), path+":") + "\n"
			}
		} else if len(l.Warnings) > 0 {
			got = "WARNING " + strings.TrimPrefix(l.Warnings[0].String(), path+":")
		}
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	// What a flag sets is named by the flag.
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(path, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := configs.Load(configs.Options{Path: path, Specs: specs(), Flags: map[string]string{"listen": "nonsense"}})
	if err == nil || !strings.HasPrefix(err.Error(), `--set listen: "nonsense" is no address to listen at`) {
		t.Errorf("got %v", err)
	}
}
