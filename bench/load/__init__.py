"""Load: requests that differ, sent by wrk, by a streaming client and by one patient caller."""
