"""Where each column comes from and what it becomes, worked out from the definitions alone: from a file's column to the
field of an index. No data is read, nothing is run; what shows it is elsewhere."""
