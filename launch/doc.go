// Package launch is the body of every server binary: the command line, the
// start and the orderly end of a CoreDHCP with the plugins it is given. It
// exports Main, which generated programs call, and nothing else. It decides
// nothing about packets: package receive takes them in, and the plugins answer.
package launch
