// Package native is the executor in this process. Its strategies are packages below it.
// It knows a task and what is given beside that, and never the plan or the state that
// they come from.
package native
