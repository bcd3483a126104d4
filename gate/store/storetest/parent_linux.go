package storetest

import "syscall"

// endWithParent has the kernel stop the server where the test is killed.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
