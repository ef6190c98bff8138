package state

// EachRef calls fn with every reference to an object that the snapshot holds, in
// place. It and Refs go over the same ones.
func (s *Snapshot) EachRef(fn func(*Ref)) {
	if s.Mapping != nil {
		fn(&s.Mapping.Ref)
		fn(&s.Mapping.Quarantine)
	}
	fn(&s.Manifests)
	for _, t := range s.Tables {
		fn(&t.Mapping)
		fn(&t.Users)
		for _, list := range [][]Ref{t.UserRuns, t.Index} {
			for i := range list {
				fn(&list[i])
			}
		}
		for i := range t.Quarantine {
			fn(&t.Quarantine[i].Ref)
		}
	}
	for _, ps := range s.Partitions {
		for _, p := range ps {
			fn(&p.Shadow)
		}
	}
}

// PutAll puts all records of a snapshot, but for where the state was moved to or from.
func (tx *Tx) PutAll(s *Snapshot) error {
	for _, t := range s.Tables {
		if err := tx.PutTable(t); err != nil {
			return err
		}
	}
	for table, list := range s.Partitions {
		for _, p := range list {
			if err := tx.PutPartition(table, p); err != nil {
				return err
			}
		}
	}
	for _, d := range s.Dumps {
		if err := tx.PutDump(d); err != nil {
			return err
		}
	}
	for _, h := range s.Holds {
		if err := tx.PutHold(h); err != nil {
			return err
		}
	}
	for _, p := range s.Publishes {
		if err := tx.PutPublish(p); err != nil {
			return err
		}
	}
	return putSettings(tx, s)
}

func putSettings(tx *Tx, s *Snapshot) error {
	if err := putFacts(tx, &s.Facts); err != nil {
		return err
	}
	for key, value := range s.Settings {
		if err := tx.PutSetting(key, value); err != nil {
			return err
		}
	}
	if !s.Manifests.IsZero() {
		if err := tx.SetManifests(s.Manifests); err != nil {
			return err
		}
	}
	if s.Mapping == nil {
		return nil
	}
	return tx.SetMapping(s.Mapping)
}
