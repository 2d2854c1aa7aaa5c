const express = require('express');
const app = express();

app.get('/users', async (req, res) => {
  const users = await db.users.find({ active: true });
  res.json(users);
});

app.get('/orders', async (req, res) => {
  const orders = await db.orders.find({ open: true });
  res.json(orders);
});

module.exports = app;
