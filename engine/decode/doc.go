// Package decode turns records of part files into typed columns. It binds the fields of a
// file to the columns of a schema, masks and casts their values, and rescues what does not
// cast; rows without their keys it describes for the quarantine. Files of all tables go
// this way, those of the user mapping, too. It never decides which of several rows counts.
package decode
