if (a && b > 2) {
  go("x");
}
