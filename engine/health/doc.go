// Package health judges how the syncs of an export and their applies are doing: whether
// the vendor delivers in time, whether everything that came is applied, and what waits.
//
// Judge is a pure function of what was read and of a time. Reader reads: the sync
// reports, the manifests and the state. Of part files it reads the header of one of each
// table that was never applied and whose keys no manifest lists. It takes no lock and
// writes nothing. What is held it knows from what applies remembered, and from the
// manifests; it looks at no sink.
package health
