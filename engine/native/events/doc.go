// Package events brings tables of events to their new state: it judges all rows at once,
// or those alone that what is new can touch, and stages the partitions that change. Which
// row counts is decided by package rules; both strategies give the same rows.
package events
