package failpoint

// Name is the name of a point. The constants below are all there are.
type Name string

// The points, in the order in which an apply reaches them.
const (
	// LockAcquired is hit when the state's lock was taken, before anything else.
	LockAcquired Name = "lock.acquired"
	// SpillWrite is hit before a block is written to the scratch folder.
	SpillWrite Name = "spill.write"

	// StageCreate is hit before an attempt's staging folder or file is made.
	StageCreate Name = "stage.create"
	// StageWrite is hit before bytes are written to a staged file.
	StageWrite Name = "stage.write"
	// StageClose is hit when a staged file is complete, before it is durable.
	StageClose Name = "stage.close"

	// ObjectsMark is hit before the folder of the state's objects is labelled with the
	// state that it belongs to.
	ObjectsMark Name = "objects.mark"
	// ObjectWrite is hit when an object of the state is complete in its
	// temporary file, before that is durable.
	ObjectWrite Name = "object.write"
	// ObjectRename is hit before the durable temporary file gets its name.
	ObjectRename Name = "object.rename"

	// StateCommitBefore is hit when a transaction of the state is ready to
	// commit: nothing of it may be seen after a crash here.
	StateCommitBefore Name = "state.commit.before"
	// StateCommitAfter is hit when it is durable: all of it must be seen.
	StateCommitAfter Name = "state.commit.after"

	// PublishIncomplete is hit before current.json says complete: false.
	PublishIncomplete Name = "publish.current.incomplete"
	// PublishMoveBefore and PublishMoveAfter surround each move.
	PublishMoveBefore Name = "publish.move.before"
	PublishMoveAfter  Name = "publish.move.after"
	// PublishRemoveBefore and PublishRemoveAfter surround each removal.
	PublishRemoveBefore Name = "publish.remove.before"
	PublishRemoveAfter  Name = "publish.remove.after"
	// PublishComplete is hit before current.json says complete: true.
	PublishComplete Name = "publish.current.complete"
	// PublishClearBefore and PublishClearAfter surround the transaction that
	// removes the publish list.
	PublishClearBefore Name = "publish.clear.before"
	PublishClearAfter  Name = "publish.clear.after"

	// SweepBefore and SweepAfter surround the removal of staged leftovers.
	SweepBefore Name = "sweep.before"
	SweepAfter  Name = "sweep.after"
	// CollectBefore and CollectAfter surround the removal of unreferenced
	// objects of the state.
	CollectBefore Name = "collect.before"
	CollectAfter  Name = "collect.after"

	// BackupObject is hit before an object is copied to a backup of the state,
	// BackupFile before the state's file is, BackupManifest before the backup counts,
	// and BackupClean before what it does not need is removed.
	BackupObject   Name = "backup.object"
	BackupFile     Name = "backup.file"
	BackupManifest Name = "backup.manifest"
	BackupClean    Name = "backup.clean"
	// RestoreObject is hit before an object of a backup is copied to the state.
	RestoreObject Name = "restore.object"

	// The points from here on are those of a state in an object store.

	// LeaseBefore and LeaseAfter surround each write of the lease: taking, renewing,
	// releasing it.
	LeaseBefore Name = "lease.before"
	LeaseAfter  Name = "lease.after"
	// ObjectSendBefore and ObjectSendAfter surround the upload of an object.
	ObjectSendBefore Name = "object.send.before"
	ObjectSendAfter  Name = "object.send.after"
	// RecordBefore and RecordAfter surround each request that creates a record of the
	// log, a fence, too.
	RecordBefore Name = "record.before"
	RecordAfter  Name = "record.after"
	// CheckpointBefore and CheckpointAfter surround the upload of a checkpoint.
	CheckpointBefore Name = "checkpoint.before"
	CheckpointAfter  Name = "checkpoint.after"
	// CollectRemove is hit before an entry of the log, a checkpoint or an object is
	// removed, or the content of an entry taken.
	CollectRemove Name = "collect.remove"
)

// Commands returns the names of the points that only backups and restores of the state
// reach. The caller owns the slice.
func Commands() []Name {
	return []Name{BackupObject, BackupFile, BackupManifest, BackupClean, RestoreObject}
}

// Away returns the names of the points that only a state in an object store has. The
// caller owns the slice.
func Away() []Name {
	return []Name{LeaseBefore, LeaseAfter, ObjectSendBefore, ObjectSendAfter, RecordBefore, RecordAfter,
		CheckpointBefore, CheckpointAfter, CollectRemove}
}

// All returns every name, in the order in which an apply reaches them, those of Commands
// and Away last. The caller owns the slice.
func All() []Name {
	return append([]Name{
		LockAcquired, SpillWrite,
		StageCreate, StageWrite, StageClose,
		ObjectsMark, ObjectWrite, ObjectRename,
		StateCommitBefore, StateCommitAfter,
		PublishIncomplete, PublishMoveBefore, PublishMoveAfter,
		PublishRemoveBefore, PublishRemoveAfter, PublishComplete,
		PublishClearBefore, PublishClearAfter,
		SweepBefore, SweepAfter, CollectBefore, CollectAfter,
	}, append(Commands(), Away()...)...)
}
