// Package merge decides which rows of a table are right. It is the contract's
// table in code:
//
//   - events, pageviews, sessions: first per (key, raw user) the row of the
//     greatest version, then per (key, canonical user) the row of the greatest
//     (dump, raw user). The first step's losers are dropped for ever: both rows
//     have one raw user, hence always one canonical user, so no mapping can part
//     them. The second step's losers are kept as shadows: a mapping can.
//   - users: per raw user the row of the greatest (dump, last_modified, version),
//     then one row per canonical user, column by column.
//
// It never reads or writes files.
package merge
