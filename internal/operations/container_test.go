package operations

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
)

// image is what the last stage of the Dockerfile makes: a root folder, and how it is started.
type image struct {
	root       string
	env        []string
	user       string
	entrypoint []string
	command    []string
}

// makeImage does what the last stage of the Dockerfile says, in a root folder that holds nothing else.
func makeImage(t *testing.T) image {
	t.Helper()
	_, stage, found := strings.Cut(sample(t, "Dockerfile"), "FROM scratch")
	if !found {
		t.Fatal("the image is not made from scratch")
	}
	m := image{root: t.TempDir()}
	list := func(words []string) (out []string) {
		for word := range strings.SplitSeq(strings.Trim(strings.Join(words, " "), "[]"), ",") {
			out = append(out, strings.Trim(strings.TrimSpace(word), `"`))
		}
		return out
	}
	for line := range strings.Lines(stage) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		last := words[len(words)-1]
		switch words[0] {
		case "COPY":
			switch {
			case last == "/belfry":
				copyFile(t, daemontest.Build(t), filepath.Join(m.root, last))
			default: // folders, and certificates that no test needs
				if err := os.MkdirAll(filepath.Join(m.root, last), 0o700); err != nil {
					t.Fatal(err)
				}
			}
		case "ENV":
			m.env = append(m.env, words[1:]...)
		case "USER":
			m.user = last
		case "ENTRYPOINT":
			m.entrypoint = list(words[1:])
		case "CMD":
			m.command = list(words[1:])
		case "#", "VOLUME", "EXPOSE":
		default:
			if !strings.HasPrefix(words[0], "#") {
				t.Fatalf("%q is not known here", line)
			}
		}
	}
	for _, dir := range []string{"etc/belfry", "proc", "dev"} { // what an engine mounts
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestScratch runs the image as far as that is possible without an engine for containers: its files alone, with its
// variables and its command. There is no zone database among them: the program has its own.
func TestScratch(t *testing.T) {
	t.Parallel()
	m := makeImage(t)
	write(t, filepath.Join(m.root, "etc/belfry/belfry.yaml"), "timezone: Antarctica/Troll\n"+channel)
	port := freePort(t)
	for i, e := range m.env {
		m.env[i] = strings.Replace(e, "BELFRY__LISTEN=:8080", "BELFRY__LISTEN=127.0.0.1:"+port, 1)
	}
	d := daemontest.StartBy(t, m.root, m.env, append(append([]string{"unshare", "-Urm", "sh", "-ec",
		`mount --rbind /proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" "$@"`, m.root}, m.entrypoint...), m.command...)...)
	resp, body := get(t, http.DefaultClient, "http://127.0.0.1:"+port+"/c/news")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "News behind a proxy") {
		t.Errorf("%s: %s", resp.Status, body)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // the plugin's process starts in the empty root too
		if strings.Contains(d.Log(), "refuses connections") {
			return
		}
	}
	t.Errorf("the source was never read:\n%s", d.Tail())
}

// TestImageIsBuilt runs the commands of the Dockerfile's first stage that make the program, with the sources as they are, and
// holds that its toolchain is new enough for them.
func TestImageIsBuilt(t *testing.T) {
	t.Parallel()
	stage, _, found := strings.Cut(sample(t, "Dockerfile"), "FROM scratch")
	if !found {
		t.Fatal("the image is not made from scratch")
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	if len(asked) != 2 || !strings.Contains(stage, "FROM golang:"+string(asked[1])+"-") {
		t.Errorf("go.mod asks for %q, and the Dockerfile takes another one:\n%s", asked, stage)
	}
	dir := t.TempDir()
	env := append(os.Environ(), "VERSION=v1.2.3-test")
	ran := 0
	for line := range strings.Lines(stage) {
		line = strings.TrimSpace(line)
		if set, is := strings.CutPrefix(line, "ENV "); is {
			env = append(env, set)
		}
		command, is := strings.CutPrefix(line, "RUN go ")
		if !is || command == "mod download" { // which asks for what this machine has
			continue
		}
		ran++
		cmd := exec.Command("sh", "-ec", "go "+strings.NewReplacer(" /sdk", " "+dir+"/sdk", " /belfry", " "+dir+"/belfry").Replace(command))
		cmd.Dir, cmd.Env = "../..", env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	program := filepath.Join(dir, "belfry")
	if out, err := exec.Command(program, "version").CombinedOutput(); err != nil || !strings.Contains(string(out), "v1.2.3-test") {
		t.Errorf("belfry version of what %d commands made: %v %s", ran, err, out)
	}
	cmd := exec.Command(program, "plugin", "new", "our-cms", "--kind", "source")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("it does not carry the SDK: %v %s", err, out)
	}
}

// inContainer marks the commands of the guide that are about a container.
const inContainer = "container"

// engine stands in for docker: it knows one image, and those of docker's flags that the guide uses. What runs has the
// image's files and variables and nothing else, may write to its volumes alone, and reads only what its user may. Ports are
// published by letting it listen where they are.
const engine = `#!/bin/sh
set -e
image=/var/lib/docker/image
. $image/settings # env, user, entrypoint, command
fail() { echo "docker: $*" >&2; exit 125; }

# mounted FROM TO MODE: a folder of the machine, or a volume
mounted() {
	mkdir -p "$root$2"
	case "$1" in
	/*)
		copy=$(mktemp -d)
		cp -a "$1/." "$copy/"
		chmod -R u=o "$copy" # the image's user is nobody here
		for own in $(sed -n "s/^-R $user //p" /run/owners); do # but for what was given to it
			case "$own" in "$1"*) rm -rf "$copy${own#"$1"}"; cp -a "$own" "$copy${own#"$1"}" ;; esac
		done
		chmod u+rx "$copy"
		mount --bind "$copy" "$root$2" ;;
	*)
		volume=/var/lib/docker/volumes/$1
		[ -d "$volume" ] || { mkdir -p "$volume"; chmod 700 "$volume"; }
		mount --bind "$volume" "$root$2" ;;
	esac
	[ "$3" != ro ] || mount -o remount,bind,ro "$root$2"
}

# inside NAME ARGS…: runs the program in a container, without the right of root to read whatever it likes
inside() {
	of=/var/lib/docker/containers/$1
	shift
	exec env -i $(cat $of/env) setpriv --no-new-privs --bounding-set=-all,+sys_chroot /usr/sbin/chroot $of/root $entrypoint "$@"
}

run() {
	name=$(basename "$(mktemp -u)") detached= more= mounts= ports=
	while [ $# -gt 0 ]; do
		case "$1" in
		-d) detached=yes ;;
		--rm) ;;
		--name) name=$2; shift ;;
		--restart | --stop-timeout | --memory) shift ;;
		-e) more="$more $2"; shift ;;
		-p) ports="$ports $2"; shift ;;
		-v) mounts="$mounts $2"; shift ;;
		-*) fail "unknown flag $1" ;;
		*) break ;;
		esac
		shift
	done
	[ "$1" = belfry ] || fail "there is no image $1"
	shift
	of=/var/lib/docker/containers/$name root=/var/lib/docker/containers/$name/root
	[ ! -e "$of" ] || fail "the name $name is in use"
	mkdir -p $root
	mount --bind $image/root $root
	mount --rbind /proc $root/proc
	mount --rbind /dev $root/dev
	mount -t tmpfs none $root/tmp
	for m in $mounts; do
		IFS=: read -r from to mode <<-end
			$m
		end
		mounted "$from" "$to" "$mode"
	done
	mount -o remount,bind,ro $root
	for e in $env $more; do
		for p in $ports; do # HOST:PORT:PORT INSIDE
			case "$e" in *=:"${p##*:}") e="${e%%=*}=${p%:*}" ;; esac
		done
		echo "$e"
	done >$of/env
	[ $# -gt 0 ] || set -- $command
	if [ -z "$detached" ]; then
		(inside "$name" "$@")
		return
	fi
	echo "$*" >$of/command
	start "$name"
}

start() {
	of=/var/lib/docker/containers/$1
	: >/var/log/belfry
	(inside "$1" $(cat $of/command)) >>/var/log/belfry 2>&1 </dev/null &
	echo $! >$of/pid
	for i in $(seq 300); do
		grep -q '^belfry: serving' /var/log/belfry && return 0
		kill -0 $! 2>/dev/null || { cat /var/log/belfry >&2; exit 1; }
		sleep 0.1
	done
	exit 1
}

stop() {
	pid=$(cat /var/lib/docker/containers/$1/pid)
	kill -TERM "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

verb=$1
shift
case "$verb" in
build) [ "$*" = "-f docs/operations/Dockerfile -t belfry ." ] && test -f docs/operations/Dockerfile ;;
run) run "$@" ;;
exec)
	kill -0 "$(cat /var/lib/docker/containers/$1/pid)"
	[ "$2" = "$entrypoint" ] || fail "there is no program $2"
	name=$1
	shift 2
	inside "$name" "$@" ;;
cp) # NAME:/data/FILE TO
	case "${1#*:}" in /data/*) cp "/var/lib/docker/volumes/belfry-data/${1#*:/data/}" "$2" ;; *) fail "nothing stands at $1" ;; esac ;;
start) start "$1" ;;
stop) stop "$1" ;;
rm)
	rm -f /var/lib/docker/containers/$1/pid
	umount -l /var/lib/docker/containers/$1/root && rm -r /var/lib/docker/containers/$1 ;;
*) fail "docker $verb is not known here" ;;
esac
`

// The guide's commands about a container, in order, on a machine whose engine is a stand-in: no test has a real one.
func TestGuideInAContainer(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	made := makeImage(t)
	if err := os.MkdirAll(filepath.Join(m.root, "var/lib/docker/image"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(made.root, filepath.Join(m.root, "var/lib/docker/image/root")); err != nil {
		t.Fatal(err)
	}
	m.write("var/lib/docker/image/settings", "env='"+strings.Join(made.env, " ")+"'\nuser='"+made.user+"'\nentrypoint='"+strings.Join(made.entrypoint, " ")+
		"'\ncommand='"+strings.Join(made.command, " ")+"'\n", 0o644)
	m.write("local/bin/docker", engine, 0o755)
	m.write("home/admin/docs/operations/Dockerfile", sample(t, "Dockerfile"), 0o644)
	m.write("run/owners", "", 0o644)
	ran := 0
	for _, b := range blocks(t, guide) {
		switch {
		case b.kind == "yaml" && b.file != "":
			m.write(b.file, b.text, 0o644)
		case b.kind == "console" && b.section == "Secrets":
			if _, code := m.run("mkdir -p /etc/belfry/secrets /var/backups"); code != "0" {
				t.Fatal("there is no folder for secrets")
			}
			m.follow(b)
			// So far they are another user's, which the image's cannot read.
			if said, code := m.run("docker run --rm -v /etc/belfry:/etc/belfry:ro belfry check"); code == "0" || !strings.Contains(said, "permission denied") {
				t.Errorf("with secrets of somebody else: exit code %s\n%s", code, said)
			}
		case b.kind == "console" && b.file == inContainer:
			ran += m.follow(b)
		}
	}
	if ran < 15 {
		t.Errorf("only %d commands were run", ran)
	}
	// What the admin address gives others it gives for a token alone.
	if said, _ := m.run(`curl -s -o /dev/null -w '%{http_code}' -H 'Host: belfry:9080' http://127.0.0.1:9080/metrics`); said != "401" {
		t.Errorf("without a token the metrics answer %s", said)
	}
	if said, code := m.run("docker stop belfry"); code != "0" {
		t.Errorf("it does not stop: %s", said)
	}
}
