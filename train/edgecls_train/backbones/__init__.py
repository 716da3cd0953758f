"""Networks that know pictures already, or whose form the field has agreed on."""
