package app

import (
	"os"
	"strings"
	"sync"
	"testing"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if pid, running := Running(dir); running {
		t.Fatalf("process %d runs in an empty folder", pid)
	}
	release, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if pid, running := Running(dir); !running || pid != os.Getpid() {
		t.Errorf("process %d, running %v", pid, running)
	}
	if _, err := lock(dir); err == nil || !strings.Contains(err.Error(), "uses the data folder "+dir) {
		t.Errorf("a second lock gives %v", err)
	}
	release()
	if _, running := Running(dir); running {
		t.Error("it runs after its end")
	}
}

// Commands that ask whether a daemon runs do not keep it from starting.
func TestLockWhileCommandsAsk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					Running(dir)
				}
			}
		})
	}
	for range 200 {
		release, err := lock(dir)
		if err != nil {
			t.Error(err)
			break
		}
		release()
	}
	close(stop)
	asking.Wait()
}
