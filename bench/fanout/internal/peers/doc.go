// Package peers holds the servers that the gateway's fan-out is compared with, one a file. Each does the same work:
// it takes a delta by HTTP and hands it to all who are subscribed, whom it gave the state when they came.
//
// They are set up as their documentation advises for many quiet connections. Where a setting decides over memory or
// speed, it is the one that favours them.
package peers
