package engine

import (
	"fmt"
	"time"

	"reconcile/config"
	"reconcile/engine/rows"
	"reconcile/internal/column"
)

// hiveNull is the directory value of rows without a partition time.
const hiveNull = "__HIVE_DEFAULT_PARTITION__"

const msPerDay = 24 * 60 * 60 * 1000

// partOf returns the partition of row i: the time in units of the partitioning.
func partOf(u config.Unit, c *column.Column, i int) int64 {
	if u == config.UnitNone {
		return 0
	}
	if c == nil || c.IsNull(i) {
		return rows.NullPart
	}
	ms := c.Ints[i]
	if c.Type.ID == column.Date {
		ms *= msPerDay
	}
	switch u {
	case config.UnitHour:
		return floorDiv(ms, msPerDay/24)
	case config.UnitDay, config.UnitDate:
		return floorDiv(ms, msPerDay)
	}
	t := time.UnixMilli(ms).UTC()
	if u == config.UnitYear {
		return int64(t.Year())
	}
	return int64(t.Year())*12 + int64(t.Month()) - 1
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// partDir returns the Hive directories of a partition below its table's
// folder, empty for a table that is not partitioned.
func partDir(u config.Unit, part int64) string {
	if part == rows.NullPart {
		return nullDir(u)
	}
	switch u {
	case config.UnitYear:
		return fmt.Sprintf("year=%04d", part)
	case config.UnitMonth:
		return fmt.Sprintf("year=%04d/month=%02d", part/12, part%12+1)
	case config.UnitDay:
		return time.UnixMilli(part * msPerDay).UTC().Format("year=2006/month=01/day=02")
	case config.UnitHour:
		return time.UnixMilli(part * msPerDay / 24).UTC().Format("year=2006/month=01/day=02/hour=15")
	case config.UnitDate:
		return time.UnixMilli(part * msPerDay).UTC().Format("date=2006-01-02")
	}
	return ""
}

func nullDir(u config.Unit) string {
	dir := ""
	for _, l := range (config.Partition{Unit: u}).Levels() {
		if dir != "" {
			dir += "/"
		}
		dir += l + "=" + hiveNull
	}
	return dir
}
