"""Doors to other libraries, one file each: what they call, in their own words."""
