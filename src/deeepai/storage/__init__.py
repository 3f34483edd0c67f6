"""Tables, migrations, and the back ends that keep them."""
