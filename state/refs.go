package state

// eachRef calls fn with every reference to an object that the snapshot holds, in
// place. It and Refs go over the same ones.
func (s *Snapshot) eachRef(fn func(*Ref)) {
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

// putAll puts all records of a snapshot.
func (tx *Tx) putAll(s *Snapshot) error {
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
	return tx.putSettings(s)
}

func (tx *Tx) putSettings(s *Snapshot) error {
	if err := tx.putFacts(&s.Facts); err != nil {
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
