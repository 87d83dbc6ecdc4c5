"""What tests of several rooms need: waiting, processes, ports, names, and rr as a person runs it."""
