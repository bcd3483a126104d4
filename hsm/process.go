package hsm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one worker as its daemon holds it. One goroutine uses it at a time.
type process struct {
	cmd    *exec.Cmd
	kill   context.CancelFunc
	in     *os.File
	out    *os.File
	frames *bufio.Reader
	crash  *crashNote
	gone   chan struct{} // closed once the process has ended
	fate   error         // how; to be read once gone is closed
}

// startProcess starts a worker that ends with life at the latest. On Linux it also
// ends with the calling thread: the caller stays locked to it until [process.end].
func startProcess(life context.Context, command, env []string) (*process, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe to worker: %w", err)
	}
	defer func() { _ = theirIn.Close() }() // the worker has its own
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pipe from worker: %w", err), in.Close())
	}
	defer func() { _ = theirOut.Close() }()

	ctx, kill := context.WithCancel(life)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	p := &process{cmd: cmd, kill: kill, in: in, out: out, frames: bufio.NewReader(out), crash: &crashNote{}, gone: make(chan struct{})}
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, p.crash
	cmd.SysProcAttr = workerAttr()
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		kill()
		return nil, errors.Join(fmt.Errorf("start worker %s: %w", command[0], err), in.Close(), out.Close())
	}
	go func() {
		defer close(p.gone)
		p.fate = cmd.Wait()
	}()
	return p, nil
}

// longAgo is a deadline that has passed by any clock.
func longAgo() time.Time { return time.Unix(1, 0) }

// exchange writes one frame and reads its answer. It kills the worker where that takes
// longer than limit; after any error the process is only good for [process.end].
func (p *process) exchange(frame any, limit time.Duration) (reply, error) {
	timer := time.AfterFunc(limit, func() {
		p.kill()
		_ = p.in.SetDeadline(longAgo()) // both only wake up who reads and writes below
		_ = p.out.SetDeadline(longAgo())
	})
	answer, err := p.roundTrip(frame)
	switch {
	case !timer.Stop():
		// An answer that came with the limit comes from a worker that is being killed.
		return reply{}, fmt.Errorf("worker %d did not answer within %s", p.cmd.Process.Pid, limit)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE):
		return reply{}, fmt.Errorf("worker %d ended before it answered", p.cmd.Process.Pid)
	case err != nil:
		return reply{}, fmt.Errorf("talk to worker %d: %w", p.cmd.Process.Pid, err)
	}
	return answer, nil
}

func (p *process) roundTrip(frame any) (reply, error) {
	if err := writeFrame(p.in, frame); err != nil {
		return reply{}, err
	}
	b, err := readFrame(p.frames)
	if err != nil {
		return reply{}, err
	}
	var r reply
	if err := decode(b, &r); err != nil {
		return reply{}, err
	}
	return r, nil
}

// end tells the worker to end, gives it grace to finalize its module, then kills it,
// and waits until it is gone. The error says how it ended, unless it ended well.
func (p *process) end(grace time.Duration) error {
	_ = p.in.Close() // this is the message
	timer := time.AfterFunc(grace, p.kill)
	defer timer.Stop()
	<-p.gone
	p.kill()
	_ = p.out.Close()
	if p.fate != nil {
		return fmt.Errorf("worker %d: %w%s", p.cmd.Process.Pid, p.fate, p.crash)
	}
	return nil
}

// endAfter ends a worker that failed with err, and adds how it ended.
func (p *process) endAfter(err error) error {
	if end := p.end(time.Second); end != nil {
		return fmt.Errorf("%w (%w)", err, end)
	}
	return err
}
