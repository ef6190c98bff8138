// Package checks judges staged steps of tables by the checks of the configuration, before
// anything of them is visible.
//
// What is judged are the published rows as the step leaves them: those of the dumps that it
// takes for the first time, in the files that it staged. So a row that another pending dump
// replaces is not judged, and what a check costs follows the step; a check of unique rows
// alone reads its columns of the whole table. Nothing is written but what does not fit into
// memory, in the scratch folder.
package checks
