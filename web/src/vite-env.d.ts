/** Style sheets that scripts name: the bundler puts them into the page's own. */
declare module '*.css';
