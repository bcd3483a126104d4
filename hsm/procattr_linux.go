package hsm

import "syscall"

// workerAttr asks the kernel to end the worker with its parent (which sees to it even
// where the worker does not read its input), and keeps a terminal's interrupt from
// it: the daemon ends its workers itself, after its last order.
func workerAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
