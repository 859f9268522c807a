"""What others published: sizes, and weights trained with the authors' own code or OpenSTL."""
