// Package child is an executor that carries out each task in a process of its own: the
// program itself, started again.
//
// It promises that the process gets what is encoded of the task, and nothing else of
// what the task is about: it reaches the source and the sinks by the locations in the
// task, and finds the objects that the task names in a folder. Keys of masks and limits
// go through a pipe, progress and the result come back through another one. New objects
// stay in the task's place for them until a commit adopts them. It is for tests, and for
// locations that are folders.
package child
