package rules

import (
	"fmt"
	"time"

	"reconcile/internal/column"
	"reconcile/internal/definition"
)

// HiveNull is the directory value of rows without a partition time.
const HiveNull = "__HIVE_DEFAULT_PARTITION__"

const msPerDay = 24 * 60 * 60 * 1000

// partitionOf returns the partition of row i: the time in units of the partitioning.
func partitionOf(u definition.Unit, c *column.Column, i int) int64 {
	if u == definition.UnitNone {
		return 0
	}
	if c == nil || c.IsNull(i) {
		return NullPart
	}
	ms := c.Ints[i]
	if c.Type.ID == column.Date {
		ms *= msPerDay
	}
	switch u {
	case definition.UnitHour:
		return floorDiv(ms, msPerDay/24)
	case definition.UnitDay, definition.UnitDate:
		return floorDiv(ms, msPerDay)
	}
	t := time.UnixMilli(ms).UTC()
	if u == definition.UnitYear {
		return int64(t.Year())
	}
	return int64(t.Year())*12 + int64(t.Month()) - 1
}

// PartitionAt returns the partition of a row of a payload batch.
func (s *Schema) PartitionAt(payload []column.Column, row int) int64 {
	switch {
	case s.Partition.Unit == definition.UnitNone:
		return 0
	case s.PartitionColumn < 0:
		return NullPart
	}
	return partitionOf(s.Partition.Unit, &payload[s.PartitionColumn], row)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// PartitionFolder returns the Hive directories of a partition below its table's
// folder, empty for a table that is not partitioned.
func PartitionFolder(u definition.Unit, part int64) string {
	if part == NullPart {
		return nullDir(u)
	}
	switch u {
	case definition.UnitYear:
		return fmt.Sprintf("year=%04d", part)
	case definition.UnitMonth:
		return fmt.Sprintf("year=%04d/month=%02d", part/12, part%12+1)
	case definition.UnitDay:
		return time.UnixMilli(part * msPerDay).UTC().Format("year=2006/month=01/day=02")
	case definition.UnitHour:
		return time.UnixMilli(part * msPerDay / 24).UTC().Format("year=2006/month=01/day=02/hour=15")
	case definition.UnitDate:
		return time.UnixMilli(part * msPerDay).UTC().Format("date=2006-01-02")
	}
	return ""
}

func nullDir(u definition.Unit) string {
	dir := ""
	for _, l := range (definition.Partition{Unit: u}).Levels() {
		if dir != "" {
			dir += "/"
		}
		dir += l + "=" + HiveNull
	}
	return dir
}
