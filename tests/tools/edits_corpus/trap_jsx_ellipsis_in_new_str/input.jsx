<ul>
  <li>one</li>
  <li>two</li>
</ul>
