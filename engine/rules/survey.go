package rules

import (
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Survey is what the names of a part file say that only the file tells: its manifest
// need not list keys and timestamps, nor spell names as the file does.
type Survey struct {
	Unlisted []string    // keys and timestamps that the table has, or would have
	Spelled  [][2]string // ID of a column, and another spelling of it
	Late     []string    // names that feed columns which the schema lacks
	Refused  string      // key or timestamp outside of the columns of a frozen table
}

// Survey compares the names of a part file with the schema.
func (s *Schema) Survey(f *FileNames) *Survey {
	out := &Survey{}
	list := f.Listed()
	for _, field := range f.Fields {
		name, listed := s.Meant(list, field)
		if !listed {
			continue
		}
		unlisted := feed.IsExact(name) && f.HasColumns && !list.has(name)
		target, known := s.Target(name)
		switch {
		case known && target < 0:
			continue
		case !s.Table.Takes(name):
			if unlisted && s.Table.OnSchemaChange == definition.Freeze {
				out.Refused = name
			}
			continue
		case known:
			if c := &s.Payload[target]; c.Delivered != field {
				out.Spelled = append(out.Spelled, [2]string{c.ID, field})
			}
		case !s.drops(name):
			out.Late = append(out.Late, name)
		}
		if unlisted {
			out.Unlisted = append(out.Unlisted, name)
		}
	}
	return out
}
