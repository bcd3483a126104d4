package hsm_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/hsm"
)

const daemonArg = "hsm-daemon"

// runIfDaemon makes this process a daemon that holds a signer until it is killed.
func runIfDaemon() {
	if len(os.Args) != 3 || os.Args[1] != daemonArg {
		return
	}
	var c hsm.Config
	if err := json.Unmarshal([]byte(os.Args[2]), &c); err != nil {
		panic(err)
	}
	c.Now, c.Log = time.Now, slog.New(slog.NewTextHandler(os.Stdout, nil))
	if _, err := hsm.Start(context.Background(), c); err != nil {
		panic(err)
	}
	fmt.Println("daemon ready")
	select {}
}

func TestWorkersDoNotOutliveTheirDaemon(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Workers = 2
	b, err := json.Marshal(map[string]any{
		"Module": c.Module, "TokenLabel": c.TokenLabel, "PINFile": c.PINFile, "Keys": c.Keys,
		"Workers": c.Workers, "Command": c.Command, "Env": c.Env,
	})
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.CommandContext(t.Context(), c.Command[0], daemonArg, string(b))
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "daemon ready"; {
		if _, pid, ok := strings.Cut(lines.Text(), "pid="); ok {
			pids = append(pids, atoi(t, pid))
		}
	}
	if len(pids) != 2 {
		t.Fatalf("workers %v, expected two", pids)
	}
	kill(t, daemon.Process.Pid)
	if err := daemon.Wait(); err == nil {
		t.Error("the daemon ended well, expected it killed")
	}
	for _, pid := range pids {
		waitFor(t, func() bool { return syscall.Kill(pid, 0) != nil })
	}
	if begun, ended := f.Calls(t, "C_Initialize"), f.Calls(t, "C_Finalize"); ended != begun {
		t.Errorf("%d calls of C_Initialize, %d of C_Finalize: a killed daemon's workers still finalize", begun, ended)
	}
}
