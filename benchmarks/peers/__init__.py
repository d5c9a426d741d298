"""MiniBach's training written without this library: what its speed is measured against."""
