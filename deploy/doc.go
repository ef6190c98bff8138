// Package deploy holds what runs the program elsewhere: the image, jobs of GitHub and
// GitLab, of Kubernetes and of systemd. Its tests run the scripts of the jobs with the real
// program, against servers that answer as those of the hosts do.
package deploy
