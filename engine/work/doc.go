// Package work measures how much of what a command is to do is done: over all tables, of
// which several are at work at a time, and over all that is done of each. It knows no
// clock and no rates.
package work
