// Package model says what is correct: the naive in-memory model of an export
// and of the tables that must come of it. It is for tests only.
//
// It promises to be a second opinion: everything is done again in maps, slices
// and text, with nothing shared with the engine, so that the two can be wrong
// only in different ways. It is slow and knows no increments: every answer is
// from scratch. It never reads an export and never looks at a sink.
//
// Where the contract's table stands in code:
//
//	event tables, pageviews, sessions  expectEvents: newest per (key, raw user),
//	                                   then newest per (key, canonical user)
//	users                              expectUsers: newest per raw user, then
//	                                   mergeUsers, column by column
//	user_migrations                    expectMigrations
//	canon                              choose, closure
//	live                               liveFrom
//	held tables                        AppliedFor, MappingFor
//
// A World is what the vendor delivers, Write puts it on disk, Random invents
// one, Shrink makes a failing one small.
package model
