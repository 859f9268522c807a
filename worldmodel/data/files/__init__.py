"""Files that recordings are kept in, whatever their format: containers, pictures, videos."""
