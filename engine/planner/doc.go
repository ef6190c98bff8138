// Package planner says what an apply would do: it compares the source, the sinks and a
// view of the state with the configuration, and makes a plan.Plan of that. A Session is a
// plan in the making and what it was made of, from which an apply takes what its steps
// work on.
//
// The package never writes: neither to the state nor to a sink. It reads what a Planner
// gives it, and knows neither tasks nor executors. A plan that was handed out is not
// changed by what becomes of its session. One goroutine uses a session at a time.
package planner
