"""What can be seen and changed over HTTP? One file per resource."""
