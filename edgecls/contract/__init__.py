"""What training promises and boards obey: labels, preparation, quantization, card, model file."""
