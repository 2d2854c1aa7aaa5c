if (a && b > 1) {
  go("x");
}
