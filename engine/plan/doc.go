// Package plan holds plans as values: what an apply would do to each table, and
// why. It is plain data without any way to the source, a sink or the state. A plan
// that was handed out is never changed: what happens while it is applied is the
// apply's own record. Values are safe for concurrent reading.
package plan
