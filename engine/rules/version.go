package rules

// ContentVersion numbers the rules by which delivered names, ids and times become
// content. It is raised when a version reads the same bytes as other rows. What
// older rules wrote stays until its table is rebuilt: dumps that come meanwhile
// are read by the rules of today.
const ContentVersion = 1
